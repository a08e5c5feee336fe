// The files of VirtioTests come next.
