// The files of Headless come next.
