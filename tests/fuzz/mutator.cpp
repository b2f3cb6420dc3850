#include "mutator.hpp"

#include <algorithm>
#include <cctype>

namespace fuzz {

namespace {

std::size_t place(Dice& dice, std::size_t n) { return static_cast<std::size_t>(dice.below(static_cast<Size>(n))); }

// Numbers at which readers go wrong.
std::uint64_t odd_number(Dice& dice, std::size_t length) {
  // clang-format off
  const std::vector<std::uint64_t> numbers{0, 1, 2, 7, 8, 63, 64, 65, 127, 128, 255, 256, length, length - 1, length + 1,
                                           0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000,
                                           0x7FFFFFFFFFFFFFFF, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF};
  // clang-format on
  return dice.one_of(numbers) + (dice.chance(0.2) ? static_cast<std::uint64_t>(dice.below(9)) - 4 : 0);
}

void write_number(Dice& dice, std::string& s) {
  const std::size_t size = dice.one_of(std::vector<std::size_t>{1, 2, 4, 8});
  if (s.size() < size) return;
  const std::size_t at = dice.chance(0.3) ? 0 : place(dice, s.size() - size + 1);
  const std::uint64_t number = odd_number(dice, s.size());
  const bool big_end = dice.chance(0.5);
  for (std::size_t i = 0; i < size; ++i) s[at + i] = static_cast<char>(number >> 8 * (big_end ? size - 1 - i : i));
}

// Another number where one is written in digits.
void write_digits(Dice& dice, std::string& s) {
  if (s.empty()) return;
  std::size_t at = place(dice, s.size());
  while (at < s.size() && !std::isdigit(static_cast<unsigned char>(s[at]))) ++at;
  std::size_t end = at;
  while (end < s.size() && std::isdigit(static_cast<unsigned char>(s[end]))) ++end;
  if (at == end) return;
  s.replace(at, end - at, dice.chance(0.2) ? "-1" : std::to_string(odd_number(dice, s.size())));
}

void change(Dice& dice, std::string& s, const std::vector<std::string>& corpus, const std::vector<std::string>& words) {
  const std::size_t at = place(dice, s.size() + 1), length = place(dice, std::min<std::size_t>(s.size() - at, 40) + 1);
  switch (dice.below(10)) {
    case 0:
      if (at < s.size()) s[at] = static_cast<char>(s[at] ^ (1 << dice.below(8)));
      return;
    case 1:
      if (at < s.size()) s[at] = static_cast<char>(dice.below(256));
      return;
    case 2: s.insert(at, 1, static_cast<char>(dice.below(256))); return;
    case 3: s.erase(at, length); return;
    case 4: s.insert(place(dice, s.size() + 1), s.substr(at, length)); return;
    case 5: write_number(dice, s); return;
    case 6: write_digits(dice, s); return;
    case 7:
      if (!words.empty()) s.replace(at, dice.chance(0.5) ? length : 0, dice.one_of(words));
      return;
    case 8: s.resize(at); return;
    default: {
      const std::string& other = dice.one_of(corpus);
      s = s.substr(0, at) + other.substr(place(dice, other.size() + 1));
    }
  }
}

}  // namespace

std::string mutated(Dice& dice, const std::vector<std::string>& corpus, const std::vector<std::string>& words) {
  std::string s = dice.one_of(corpus);
  for (Size changes = dice.chance(0.05) ? 0 : dice.between(1, dice.chance(0.8) ? 3 : 20); changes > 0; --changes)
    change(dice, s, corpus, words);
  return s;
}

}  // namespace fuzz
