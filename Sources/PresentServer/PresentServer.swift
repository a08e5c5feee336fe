// The files of PresentServer come next.
