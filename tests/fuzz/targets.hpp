// What is fuzzed: a target takes a seed, makes an input of it and tries it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fuzz {

struct Target {
  const char* name;
  const char* what;
  std::string (*run)(std::uint64_t seed);  // what is wrong; empty: nothing. A crash is wrong, too
};
const std::vector<Target>& targets();

}  // namespace fuzz
