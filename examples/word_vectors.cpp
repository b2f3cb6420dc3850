// Vectors of words by negative sampling (Mikolov et al. 2013): a word's vector fits those of the words beside it, and not those
// of words drawn at random. Only the rows that a batch has picked are worked on. Then the nearest words of some are printed; of
// tinyshakespeare:
//   king   richard highness' claim allegiance edward
//   thou   dost wouldst art wilt camest
//   death  life fearing lightning exile execute
//   he     his him himself how swore
//   night  light torch whit crow dark
// The loss falls from 6 log 2 = 4.16 to 2.40.
//   word_vectors [steps]
#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>

#include <fmt/core.h>

#include <xgrad/autodiff.hpp>
#include <xgrad/data.hpp>
#include <xgrad/nn.hpp>
#include <xgrad/optim.hpp>

#include "text.hpp"

using namespace xgrad;

constexpr Size width = 64, window = 4, negatives = 5, batch = 1024;

struct Vectors {
  nn::Embedding word, context;
  Tensor operator()(const Tensor& words, const Tensor& beside, const Tensor& others) const {
    return nn::negative_sampling_loss(word(words), context(beside), context(others));
  }
  XGRAD_FIELDS(word, context)
};

int main(int count, char** arguments) {
  manual_seed(1);
  const text::Corpus corpus = text::corpus();
  const data::Vocabulary words = data::Vocabulary::words(corpus.text, {.min_count = 5, .unknown = "<unk>"});
  const std::vector<Size> all = words.encode(corpus.text).to_vector<Size>();
  const Size steps = count > 1 ? std::atoll(arguments[1]) : corpus.real ? 5000 : 500;

  // Frequent words are left out now and then, and others drawn in proportion to count^0.75, as in the paper. Rare words and marks go.
  const auto is_word = [&](Size code) {
    return std::isalpha(static_cast<unsigned char>(words.tokens()[static_cast<std::size_t>(code)][0]));
  };
  const std::vector<double> dice = rand({all.size()}, f64).to_vector<double>();
  std::vector<Size> kept, others;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double part =
        static_cast<double>(words.counts()[static_cast<std::size_t>(all[i])]) / static_cast<double>(all.size());
    if (is_word(all[i]) && dice[i] < std::sqrt(1e-3 / part)) kept.push_back(all[i]);
  }
  for (Size code = 0; code < words.size(); ++code)
    if (is_word(code))
      others.insert(others.end(),
                    static_cast<std::size_t>(std::ceil(std::pow(words.counts()[static_cast<std::size_t>(code)], 0.75))),
                    code);
  const Tensor text = tensor(kept), drawn = tensor(others);

  Vectors model{{words.size(), width}, {words.size(), width}};
  for (nn::Embedding* e : {&model.word, &model.context}) nn::init::normal(e->weight, 0, 0.1);
  optim::SparseAdam optimizer(nn::parameters(model), {.lr = 5e-3});
  double loss = 0;
  for (Size step = 0; step < steps; ++step) {
    const Tensor at = randint(window, text.size(0) - window, {batch}), away = randint(1, window + 1, {batch});
    const Tensor beside = at + where(rand({batch}) < 0.5, away, -away);
    const Tensor other = index_select(drawn, 0, randint(0, drawn.size(0), {batch * negatives}));
    optimizer.zero_grad();
    const Tensor l =
        model(index_select(text, 0, at), index_select(text, 0, beside), reshape(other, {batch, negatives}));
    l.backward();
    optimizer.step();
    if (step >= steps - 200) loss += l.item() / 200;
  }

  const NoGrad no_grad;
  const Tensor unit = model.word.weight / norm(model.word.weight, 2, 1, true);
  fmt::print("{}: {} words, loss {:.3f}\n", corpus.name, words.size(), loss);
  for (const char* word : {"king", "thou", "death", "he", "night"}) {
    if (!words.has(word)) continue;
    const auto [nearness, places] = topk(matmul(unit, unit[words.code(word)]), 6);
    fmt::print("  {:6}", word);
    for (const Size place : slice(places, 0, 1).to_vector<Size>())
      fmt::print(" {}", words.tokens()[static_cast<std::size_t>(place)]);
    fmt::print("\n");
  }
  return loss < (corpus.real ? 2.6 : 3.0) ? 0 : 1;
}
