// The files of PresentServerTests come next.
