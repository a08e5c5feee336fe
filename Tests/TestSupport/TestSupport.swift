// The files of TestSupport come next.
