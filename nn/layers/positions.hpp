// Where in a sequence a vector stands: sinusoids, learned positions, rotations.
#pragma once

#include <xgrad/nn/fields.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

// Vaswani et al. 2017:  y[t][2 i] = sin(t / 10000^(2 i / width))    y[t][2 i + 1] = cos of the same. [length, width]; of an
// odd width the last column is a sine.
Tensor sinusoidal_positions(Extent length, Extent width, DType dtype = default_dtype(), Source source = Source::here());

struct PositionalEncodingOptions {
  double dropout = 0.1;  // of the sum, while training
  Size max_len = 5000;
  bool batch_first = false;
};

// y = dropout(x + sinusoidal_positions): x is [time, batch, width], or [batch, time, width] with batch_first, or [time, width].
// In the dtype of x. Nothing of it is trained or saved.
struct PositionalEncoding {
  Tensor positions;  // f64 [max_len, width]
  double dropout = 0.1;
  bool batch_first = false, training = true;

  PositionalEncoding() = default;  // empty, until one with sizes is assigned
  PositionalEncoding(Extent width, PositionalEncodingOptions options = {}, Source source = Source::here());
  Tensor operator()(In x) const;

  XGRAD_FIELDS()
};

struct LearnedPositionsOptions {
  bool batch_first = false;
  DType dtype = default_dtype();
};

// y = x + weight[0 ... time - 1]: a vector for each place. x as PositionalEncoding's. The weight starts as N(0, 1), as
// Embedding's.
struct LearnedPositions {
  Parameter weight;  // [max_len, width]
  bool batch_first = false;

  LearnedPositions() = default;
  LearnedPositions(Extent max_len, Extent width, LearnedPositionsOptions options = {}, Source source = Source::here());
  Tensor operator()(In x) const;

  XGRAD_FIELDS(weight)
};

struct RotaryOptions {
  double base = 10000;
  Size offset = 0;          // the place of the first step
  bool interleaved = true;  // pairs (x[0], x[1]), (x[2], x[3]), ... as in the paper; false: (x[i], x[i + width / 2])
};

// Su et al. 2021 (RoFormer): turns the i-th pair of numbers at step t by the angle t / base^(2 i / width), so that products of
// queries and keys depend on how far apart they are. x: [..., time, width] of floats, of an even width.
Tensor rotary_embedding(In x, RotaryOptions options = {});

}  // namespace xgrad::nn

#pragma GCC visibility pop
