// The files of KMS come next.
