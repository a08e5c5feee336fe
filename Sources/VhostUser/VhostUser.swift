// The files of VhostUser come next.
