// The files of PresentProtocolTests come next.
