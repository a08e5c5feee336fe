// The files of VhostUserTests come next.
