// Numbers as text, the same in every locale.
#pragma once

#include <string>

namespace ghost {

// The shortest text that reads back as the same double: "0.1", "4e-05", "150000". NaN and infinities: "nan", "inf",
// "-inf".
std::string shortest(double value);

// A duration for a person: "7 s", "3:25", "1:02:07".
std::string duration_text(double seconds);

}  // namespace ghost
