// Text for the examples of language: tinyshakespeare where XGRAD_DATA holds it, else sentences of a small grammar.
#pragma once

#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include <xgrad/autodiff.hpp>

namespace text {

struct Corpus {
  std::string text, name;
  bool real = false;  // tinyshakespeare

  // The characters that occur, in order, and the whole text as their numbers.
  std::string characters() const {
    std::array<bool, 256> seen{};
    for (const char c : text) seen[static_cast<unsigned char>(c)] = true;
    std::string all;
    for (int c = 0; c < 256; ++c)
      if (seen[static_cast<std::size_t>(c)]) all += static_cast<char>(c);
    return all;
  }
  xgrad::Tensor numbers() const {
    const std::string all = characters();
    std::vector<xgrad::Size> list;
    list.reserve(text.size());
    for (const char c : text) list.push_back(static_cast<xgrad::Size>(all.find(c)));
    return xgrad::tensor(list);
  }
};

inline Corpus corpus() {
  if (const char* folder = std::getenv("XGRAD_DATA"); folder && *folder) {
    std::ifstream file(std::string(folder) + "/tinyshakespeare/input.txt", std::ios::binary);
    std::stringstream all;
    all << file.rdbuf();
    if (file && !all.str().empty()) return {all.str(), "tinyshakespeare", true};
  }
  const char* who[] = {"the king", "the queen", "a soldier", "my lord", "the fool", "a gentle lady"};
  const char* does[] = {"speaks to", "loves", "seeks", "will not see", "must serve", "knows"};
  const char* how[] = {"", " in the night", " with a heavy heart", " at the gate", " before the dawn"};
  const std::vector<xgrad::Size> dice = xgrad::randint(0, 1 << 20, {3 * 8000}).to_vector<xgrad::Size>();
  Corpus made{"", "sentences of a small grammar"};
  for (std::size_t i = 0; i + 2 < dice.size(); i += 3)
    made.text +=
        std::string(who[dice[i] % 6]) + " " + does[dice[i] / 6 % 6] + " " + who[dice[i + 1] % 6] + how[dice[i + 2] % 5] + ".\n";
  return made;
}

}  // namespace text
