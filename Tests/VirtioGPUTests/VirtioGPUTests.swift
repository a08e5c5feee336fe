// The files of VirtioGPUTests come next.
