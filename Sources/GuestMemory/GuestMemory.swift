// The files of GuestMemory come next.
