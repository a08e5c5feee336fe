// The files of PresentProtocol come next.
