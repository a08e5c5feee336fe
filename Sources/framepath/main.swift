// The program comes next.
