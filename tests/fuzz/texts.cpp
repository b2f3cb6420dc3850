// Texts of any bytes, as codes and back.
#include <xgrad/data.hpp>
#include <xgrad/xgrad.hpp>

#include "mutator.hpp"
#include "targets.hpp"

namespace fuzz {

using namespace xgrad;

std::string run_text(std::uint64_t seed) {
  // clang-format off
  static const std::vector<std::string> corpus{"to be, or not to be", "", "Stra\xC3\x9F" "e \xE2\x82\xAC \xF0\x9F\x98\x80", "don't -- 12:30\r\n\r\n\tEnd.",
                                               std::string("nul\0 in it", 10), "\xC3", "\xF4\x90\x80\x80\xED\xA0\x80\xC0\xAF"},
      words{" ", "\n", "'", "<unk>", "be", "\xC3\x9F", "\xE2\x82", "\xF0\x9F", "\x80", "\xFF", std::string(1, '\0')};
  // clang-format on
  Dice dice(seed);
  const std::string text = mutated(dice, corpus, words), other = mutated(dice, corpus, words);
  std::string wrong = only_errors([&]() -> std::string {
    const data::Vocabulary letters = data::Vocabulary::characters(text);
    const Tensor codes = letters.encode(text);
    if (letters.decode(codes) != text) return "other characters after they were codes";
    if (data::Vocabulary::of_tokens(letters.tokens(), {.words = false}).encode(text).to_vector<Size>() !=
        codes.to_vector<Size>())
      return "other codes when it is made again";
    const auto [now, next] = data::windows(codes, {.length = dice.between(-1, 5), .stride = dice.between(-1, 3)});
    if (now.shape() != next.shape()) return "windows of two shapes";
    return {};
  });
  if (!wrong.empty()) return wrong;
  wrong = only_errors([&]() -> std::string {
    const data::Vocabulary all = data::Vocabulary::words(text, {.min_count = dice.between(0, 2),
                                                                .most = dice.between(-1, 4),
                                                                .lower = dice.chance(0.5),
                                                                .unknown = dice.chance(0.7) ? dice.one_of(words) : ""});
    for (const std::string& token : all.tokens())
      if (!all.has(token) || all.tokens()[static_cast<std::size_t>(all.code(token))] != token)
        return "a word that is not its code's";
    const Tensor codes = all.encode(dice.chance(0.5) ? text : other);
    if (data::Vocabulary::of_tokens(all.tokens()).tokens() != all.tokens()) return "other words when it is made again";
    if (codes.numel() > 0 && (amin(codes).item() < 0 || amax(codes).item() >= static_cast<double>(all.size())))
      return "a code without a word";
    all.decode(codes);
    all.decode(randint(-1, all.size() + 1, {4}));
    return {};
  });
  return wrong;
}

}  // namespace fuzz
