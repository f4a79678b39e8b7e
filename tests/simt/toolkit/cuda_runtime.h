// Stands in for the toolkit's header when .cu files are compiled as plain C++.
#pragma once

#include "tests/simt/simt.h"
