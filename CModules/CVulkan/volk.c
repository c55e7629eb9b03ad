// The loader, compiled once.
#define VOLK_IMPLEMENTATION
#include "CVulkan.h"
