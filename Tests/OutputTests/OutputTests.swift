// The files of OutputTests come next.
