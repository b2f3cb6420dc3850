// Text for the examples of language: tinyshakespeare where XGRAD_DATA has it, else sentences of a small grammar.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include <xgrad/autodiff.hpp>
#include <xgrad/data.hpp>

namespace text {

struct Corpus {
  std::string text, name;
  bool real;  // tinyshakespeare
};

inline Corpus corpus() {
  using xgrad::Size;
  if (const char* folder = std::getenv("XGRAD_DATA"); folder && *folder) {
    const std::string path = std::string(folder) + "/tinyshakespeare/input.txt";
    if (std::filesystem::exists(path)) return {xgrad::data::read_text(path), "tinyshakespeare", true};
  }
  const char* who[] = {"the king", "the queen", "a soldier", "my lord", "the fool", "a gentle lady"};
  const char* does[] = {"speaks to", "loves", "seeks", "will not see", "must serve", "knows"};
  const char* how[] = {"", " in the night", " with a heavy heart", " at the gate", " before the dawn"};
  const std::vector<Size> dice = xgrad::randint(0, 1 << 20, {3 * 8000}).to_vector<Size>();
  std::string made;
  for (std::size_t i = 0; i + 2 < dice.size(); i += 3)
    made += std::string(who[dice[i] % 6]) + " " + does[dice[i] / 6 % 6] + " " + who[dice[i + 1] % 6] +
            how[dice[i + 2] % 5] + ".\n";
  return {made, "sentences of a small grammar", false};
}

}  // namespace text
