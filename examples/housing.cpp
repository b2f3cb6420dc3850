// A regression: the median price of houses in 20,640 districts of California (Pace & Barry 1997), from eight numbers of each.
// Takes the folder that has california_housing/ from XGRAD_DATA; without it, Friedman's function.
//   housing [--quick]      california_housing:   R2 of the other districts 0.78, mean absolute error 0.36 (x 100,000 $)
//                          Friedman's function:  R2 0.95 (all but the noise is 0.96)
#include <cstdlib>
#include <string>

#include <fmt/core.h>

#include <xgrad/xgrad.hpp>

using namespace xgrad;

data::Dataset districts(const std::string& folder) {
  const data::Table table = data::read_csv(folder + "/fetch_california_housing.csv");
  return {table.numbers(table.except({"target"})), table.numbers({"target"})};
}

struct Net {
  nn::Linear first, second, output;
  explicit Net(Size features) : first(features, 64), second(64, 64), output(64, 1) {}
  Tensor operator()(const Tensor& x) const { return output(nn::gelu(second(nn::gelu(first(x))))); }
  XGRAD_FIELDS(first, second, output)
};

int main(int count, char** arguments) {
  const bool quick = count > 1 && std::string(arguments[1]) == "--quick";
  const char* folder = std::getenv("XGRAD_DATA");
  const bool real = folder && *folder;
  const data::Dataset all =
      real ? districts(std::string(folder) + "/california_housing") : data::friedman({.rows = 4000, .seed = 1});
  data::Split split = data::split_random(all, {.train = 0.8, .seed = 1});
  const data::Standardiser scaled = data::standardiser(split.train.inputs);  // of the training part alone
  split.train.inputs = scaled(split.train.inputs);
  const data::Split part =
      data::split_random(split.train, {.train = 0.9, .seed = 3});  // the best epoch is chosen by the second

  manual_seed(1);
  Net net(all.inputs.size(1));
  fmt::print("{}\n", nn::summary(net, slice(part.train.inputs, 0, 0, 64)));
  optim::AdamW optimizer(nn::parameters(net), {.lr = 3e-3});
  const Size epochs = quick ? 8 : 30;
  training::fit(net, optimizer, data::DataLoader(part.train, {.batch_size = 64, .shuffle = true, .seed = 2}),
                {.epochs = epochs,
                 .loss = nn::huber_loss,
                 .validation = data::DataLoader(part.test, {.batch_size = 1024}),
                 .metrics = {{"R2", nn::metrics::R2{}}, {"mean error", nn::metrics::MeanAbsoluteError{}}},
                 .clip_norm = 1,
                 .schedule = optim::cosine({.steps = epochs}),
                 .monitor = "R2",
                 .keep_best = true});
  const NoGrad no_grad;
  const Tensor guess = net(scaled(split.test.inputs)), price = split.test.labels;
  const double r2 = 1 - (nn::mse_loss(guess, price) / var(price, 0, 0)).item();
  fmt::print("R2 of what was not seen: {:.3f}, mean absolute error {:.3f}\n", r2, nn::l1_loss(guess, price).item());
  return r2 > (quick ? 0.73 : 0.77) ? 0 : 1;
}
