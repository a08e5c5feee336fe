// The files of PresentClient come next.
