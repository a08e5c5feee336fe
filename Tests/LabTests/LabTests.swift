// The files of LabTests come next.
