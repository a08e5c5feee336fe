/* Compiles the header alone, so that its size asserts are checked wherever the package builds. */
#include "framepath_protocol.h"
