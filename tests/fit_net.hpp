// A small network with a dropout, for the tests of fit.
#pragma once

#include <xgrad/nn.hpp>

namespace {

using namespace xgrad;

struct Net {
  nn::Linear hidden{3, 8}, output{8, 2};
  nn::Dropout dropout{0.3};
  Tensor operator()(const Tensor& x) const { return output(dropout(tanh(hidden(x)))); }
  XGRAD_FIELDS(hidden, output, dropout)
};

}  // namespace
