// What Shampoo and SOAP share: products of a tensor along its axes. Private to optim/.
#pragma once

#include <vector>

#include <xgrad/autodiff/ops.hpp>

namespace xgrad::optim {

// x with the axis as rows and all else as columns.
inline Tensor unfolded(const Tensor& x, Size axis) {
  const Tensor front = axis == 0 ? x : transpose(x, 0, axis);
  return reshape(front, {x.size(axis), x.numel() / x.size(axis)});
}
// x(axis) x(axis)^T
inline Tensor gram(const Tensor& x, Size axis) {
  const Tensor rows = unfolded(x, axis);
  return matmul(rows, transpose(rows));
}
// Each column of x along the axis becomes a times it; a is [n, n].
inline Tensor along(const Tensor& a, const Tensor& x, Size axis) {
  if (axis == 0) return reshape(matmul(a, unfolded(x, 0)), x.shape());
  const Tensor front = transpose(x, 0, axis);
  return transpose(reshape(matmul(a, unfolded(x, axis)), front.shape()), 0, axis);
}

// Square matrices that lie one after the other in a tensor of one axis, read in order.
class Factors {
 public:
  explicit Factors(const Tensor& all) : all_(all) {}
  Tensor next(Size n) {
    Tensor one = reshape(slice(all_, 0, at_, at_ + n * n), {n, n});
    at_ += n * n;
    return one;
  }

 private:
  Tensor all_;
  Size at_ = 0;
};
inline Tensor side_by_side(const std::vector<Tensor>& matrices, DType dtype) {
  Tensors flat;
  for (const Tensor& x : matrices) flat.push_back(reshape(x, {x.numel()}));
  return flat.empty() ? zeros({0}, dtype) : concat(flat);
}

}  // namespace xgrad::optim
