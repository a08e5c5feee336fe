// The files of GuestMemoryTests come next.
