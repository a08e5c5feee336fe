// The files of ScanoutTests come next.
