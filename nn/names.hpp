// Lists of names in Errors. Private to nn/.
#pragma once

#include <string>
#include <vector>

namespace xgrad::nn {

std::string some_of(const std::vector<std::string>& names);  // "a, b, c, d, e and 4 more"; "none"

}  // namespace xgrad::nn
