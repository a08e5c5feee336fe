// The files of SystemTests come next.
