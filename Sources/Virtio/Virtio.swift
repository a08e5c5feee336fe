// The files of Virtio come next.
