// The files of GraphicsMemoryTests come next.
