// The functions are the system library's; this file only makes the header a target.
#include "CSQLite.h"
