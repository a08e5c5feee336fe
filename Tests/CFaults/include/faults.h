// Memory that is taken away, for tests.
#ifndef FRAMEPATH_FAULTS_H
#define FRAMEPATH_FAULTS_H

// FALLOC_FL_PUNCH_HOLE; 0 or -1.
int framepath_discard(int fd, long offset, long length);

#endif
