// The files of LinuxIOTests come next.
