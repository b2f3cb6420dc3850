// Inputs that are nearly right: some of a corpus, changed here and there. The same seed gives the same input.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../programs/dice.hpp"

namespace fuzz {

using programs::Dice;
using xgrad::Size;

// `words`: what the format is written in (names of fields, brackets), put in as they are.
std::string mutated(Dice& dice, const std::vector<std::string>& corpus, const std::vector<std::string>& words);

}  // namespace fuzz
