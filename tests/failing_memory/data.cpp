#include <string>

#include "trial.hpp"
#include <xgrad/data.hpp>

namespace failing_memory {

std::vector<Kind> data_kinds() {
  // clang-format off
  return {
      {"made data", value([] {
         const data::Dataset d = data::shuffled(data::spirals({.seed = 3}), 4);
         return Tensors{d.inputs, d.labels};
       })},
      {"a table", value([size = std::vector<std::string>{"size"}, kind = std::vector<std::string>{"kind"}] {
         const data::Table t = data::parse_csv("size,kind\n1.5,b\n?,a\n4,\"c, d\"\n2,a\n");
         const data::Table::Categories kinds = t.complete().categories("kind");
         return Tensors{t.numbers(size, f64), kinds.codes, kinds.one_hot(), full({}, t.except(kind).size())};
       })},
      {"parts of data", value([] {
         const data::Dataset d = data::friedman({.rows = 12, .features = 5, .seed = 3});
         const data::Dataset classes{d.inputs, remainder(arange(12), 3)};
         const data::Split s = data::split_random(classes, {.stratified = true, .seed = 1});
         return Tensors{s.train.inputs, s.test.labels, data::k_fold(classes, {.folds = 3, .seed = 2})[1].test.inputs,
                        data::standardiser(d.inputs)(d.inputs)};
       })},
      {"text as numbers", value([] {
         const data::Vocabulary letters = data::Vocabulary::characters("a rose is a rose"),
                                words = data::Vocabulary::words("a rose is a rose, and no tulip", {.min_count = 2, .unknown = "<unk>"});
         const Tensor codes = letters.encode("a rose");
         return Tensors{words.encode("is a rose a tulip"), data::windows(codes, {.length = 2}).labels, full({}, letters.decode(codes).size())};
       })},
      {"an epoch", value([] {
         data::DataLoader loader({reshape(arange(60), {20, 3}), arange(20)}, {.batch_size = 6, .shuffle = true, .seed = 3});
         Tensors got;
         for (const auto& batch : loader) got.push_back(batch[0]), got.push_back(batch[1]);
         return got;
       })},
  };
  // clang-format on
}

}  // namespace failing_memory
