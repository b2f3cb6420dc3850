// Convolutions without a matrix of columns. The image is laid out once, with its padding, so that what a tap of the kernel
// reads lies side by side: where the stride is s, numbers s apart become neighbours in one of s planes (its phase). Each
// tap of each channel is then an offset, the same for all positions, and what is left is sums of products of lanes
// (simd/convolution.cpp). Lines of positions follow each other in memory; between them are a few positions that are no
// results, which are computed and dropped where that takes fewer vectors than each line by itself.
//
// The transpose in x is the same thing: x at one phase is a correlation of y, laid out with a margin, with the taps that
// have this phase.
#include "autodiff/kernels/convolution.hpp"

#include <algorithm>

#include "autodiff/kernels/convolution_planes.hpp"
#include "autodiff/kernels/convolution_sums.hpp"
#include "autodiff/kernels/simd.hpp"
#include "autodiff/parallel.hpp"

namespace xgrad::kernels {

namespace {

// Results of some channels, before what is none is dropped: of 16 lines of 32, with what is between them.
constexpr Size strip_rows = 8, strip_length = 16 * 34;
constexpr double worth_a_job = 1 << 18;  // multiplications

// A box of positions of rows of results: out[r][p] = bias[r] + sum over k of a[r][k] x[offset[k] + p].
template <class T>
struct Box {
  const T* a;
  Size rows, depth;
  const Size* offset;
  const T* x;  // at the first position
  const Planes& planes;
  Size extent[axes];
  T* out;  // of the first position
  Size out_row, out_step[axes];
  const T* bias;
  T* strip;

  // Some lines from (z, y), of `count` numbers from i
  void lines(Size z, Size y, Size i, Size some, Size count) const {
    const Size length = strip_length + slack, across = planes.extent[2];
    for (Size r = 0; r < rows; r += strip_rows) {
      const Size together = std::min(strip_rows, rows - r);
      const Size apart = simd().correlate[sizeof(T) == 8](a + r * depth, together, depth, x + planes.at(z, y, i),
                                                          offset, depth, strip, length, some, count, across);
      for (Size k = 0; k < together; ++k) {
        const T* from = strip + k * length;
        T* to = out + (r + k) * out_row + z * out_step[0] + y * out_step[1] + i * out_step[2];
        if (out_step[2] == 1) {
          simd().take_lines[sizeof(T) == 8](from, apart, some, count, bias ? bias + r + k : nullptr, to, out_step[1]);
          continue;
        }
        const T plus = bias ? bias[r + k] : T(-0.0);
        for (Size line = 0; line < some; ++line)
          for (Size p = 0; p < count; ++p) to[line * out_step[1] + p * out_step[2]] = from[line * apart + p] + plus;
      }
    }
  }
  void all() const {
    if (product(extent) == 0) return;
    const Size across = planes.extent[2];
    const Size most = extent[2] > strip_length ? 1 : (strip_length - extent[2]) / across + 1;
    const Size strips = (extent[1] + most - 1) / most, together = (extent[1] + strips - 1) / strips;
    for (Size z = 0; z < extent[0]; ++z)
      for (Size y = 0; y < extent[1]; y += together)
        for (Size i = 0; i < extent[2]; i += strip_length)
          lines(z, y, i, std::min(together, extent[1] - y), std::min(strip_length, extent[2] - i));
  }
};

// How the work on images and groups is cut into jobs: by channels of the result too, where there are few.
struct Jobs {
  Size channels, pairs, block, blocks, together, count;
  Jobs(const Convolution& c, Size results, Size others) : channels(results), pairs(c.images * c.groups) {
    constexpr Size enough = 8, least = 16;
    block = std::max<Size>(1, pairs >= enough ? channels : std::min(channels, least));
    blocks = (channels + block - 1) / block;
    const double work = static_cast<double>(block) * static_cast<double>(others) *
                        static_cast<double>(product(c.kernel)) * static_cast<double>(product(c.result));
    together = std::max<Size>(1, static_cast<Size>(worth_a_job / std::max(1.0, work)));
    count = (pairs * blocks + together - 1) / together;
  }
  int workers() const { return workers_for(count); }
  // f(image, group, first channel, how many, worker)
  template <class F>
  void run(const Convolution& c, const F& f) const {
    parallel_for(count, [&](Size job, int worker) {
      for (Size i = job * together; i < std::min(pairs * blocks, (job + 1) * together); ++i) {
        const Size pair = i / blocks, from = i % blocks * block;
        f(pair / c.groups, pair % c.groups, from, std::min(block, channels - from), worker);
      }
    });
  }
};

constexpr Size strip_numbers = strip_rows * (strip_length + slack);

template <class T>
void to_y(const Convolution& c, const T* x, const T* w, const T* bias, T* y, Memory memory) {
  const Lines l(c);
  const Planes p = planes_of_x(l);
  const Size depth = c.in * product(c.kernel), image = product(c.image), result = product(c.result);
  const Jobs jobs(c, c.out, c.in);
  const Size numbers = c.in * p.channel() + slack;
  Size* offset = memory.take<Size>(depth);
  const Laid<T> laid(memory, jobs.workers(), numbers);
  T* strips = memory.take<T>(jobs.workers() * strip_numbers);
  offsets_in_x(c, l, p, offset);
  jobs.run(c, [&](Size n, Size group, Size from, Size rows, int worker) {
    T* own = laid.of(worker);
    lay_out_x(l, p, x + (n * c.groups + group) * c.in * image, c.in, own);
    const Size channel = group * c.out + from;
    Box<T>{w + channel * depth,
           rows,
           depth,
           offset,
           own,
           p,
           {c.result[0], c.result[1], c.result[2]},
           y + (n * c.groups * c.out + channel) * result,
           result,
           {c.result[1] * c.result[2], c.result[2], 1},
           bias ? bias + channel : nullptr,
           strips + worker * strip_numbers}
        .all();
  });
}

// One phase of x: its taps, and how many others were before them; which numbers of its plane they reach, and are of x.
struct Part {
  Size phase[axes], taps[axes], before, begin[axes], extent[axes];
  Part(const Lines& l, const Size (&phases)[axes], Size others) : before(others) {
    for (int i = 0; i < axes; ++i) {
      const Size length = l[i].result + l[i].reach;
      phase[i] = phases[i];
      taps[i] = l[i].taps(phase[i]);
      begin[i] = l[i].first(phase[i], length);
      extent[i] = std::max<Size>(0, l[i].end(phase[i], length) - begin[i]);
    }
  }
};
template <class F>
void each_part(const Lines& l, const F& f) {
  Size before = 0;
  l.each_phase([&](Size f0, Size f1, Size f2) {
    const Part part(l, {f0, f1, f2}, before);
    before += product(part.taps);
    f(part);
  });
}

// For each phase a matrix for each group, [in, out x taps], and where these read the planes of y.
template <class T>
void turn_weights(const Convolution& c, const Lines& l, const Planes& p, const T* w, T* turned, Size* offset) {
  const Size taps = product(c.kernel);
  each_part(l, [&](const Part& part) {
    Size tap = 0;
    const Size depth = c.out * product(part.taps);
    for (Size i = part.phase[0]; i < c.kernel[0]; i += l[0].period)
      for (Size j = part.phase[1]; j < c.kernel[1]; j += l[1].period)
        for (Size k = part.phase[2]; k < c.kernel[2]; k += l[2].period, ++tap) {
          const Size at = p.at(l[0].reach - l[0].at(i), l[1].reach - l[1].at(j), l[2].reach - l[2].at(k));
          for (Size o = 0; o < c.out; ++o)
            offset[c.out * part.before + o * product(part.taps) + tap] = o * p.size() + at;
          const T* from = w + (i * c.kernel[1] + j) * c.kernel[2] + k;
          T* to = turned + c.groups * c.in * c.out * part.before + tap;
          for (Size group = 0; group < c.groups; ++group)
            for (Size o = 0; o < c.out; ++o)
              for (Size channel = 0; channel < c.in; ++channel, from += taps)
                to[(group * c.in + channel) * depth + o * product(part.taps)] = *from;
        }
  });
}

template <class T>
void to_x(const Convolution& c, const T* y, const T* w, const T* bias, T* x, Memory memory) {
  const Lines l(c);
  const Planes p = planes_of_y(l);
  const Size taps = product(c.kernel), image = product(c.image), result = product(c.result);
  const Jobs jobs(c, c.in, c.out);
  const Size numbers = c.out * p.channel() + slack;
  T* turned = memory.take<T>(c.groups * c.in * c.out * taps);
  Size* offset = memory.take<Size>(c.out * taps);
  const Laid<T> laid(memory, jobs.workers(), numbers);
  T* strips = memory.take<T>(jobs.workers() * strip_numbers);
  turn_weights(c, l, p, w, turned, offset);
  Size covered = 0;
  each_part(l, [&](const Part& part) { covered += product(part.extent); });
  jobs.run(c, [&](Size n, Size group, Size from, Size rows, int worker) {
    T* own = laid.of(worker);
    lay_out_y(l, p, y + (n * c.groups + group) * c.out * result, c.out, own);
    const Size channel = group * c.in + from;
    T* out = x + (n * c.groups * c.in + channel) * image;
    if (covered < image)
      for (Size r = 0; r < rows; ++r) std::fill_n(out + r * image, image, bias ? bias[channel + r] : T(0));
    each_part(l, [&](const Part& part) {
      if (product(part.extent) == 0) return;
      const Size depth = c.out * product(part.taps);
      const auto& [z, y, x] = part.begin;
      Box<T> box{turned + c.groups * c.in * c.out * part.before + channel * depth,
                 rows,
                 depth,
                 offset + c.out * part.before,
                 own + p.at(z, y, x),
                 p,
                 {part.extent[0], part.extent[1], part.extent[2]},
                 out,
                 image,
                 {c.image[1] * c.image[2], c.image[2], 1},
                 bias ? bias + channel : nullptr,
                 strips + worker * strip_numbers};
      for (int i = 0; i < axes; ++i) {
        box.out += (part.begin[i] * l[i].stride + l[i].offset(part.phase[i])) * box.out_step[i];
        box.out_step[i] *= l[i].stride;
      }
      box.all();
    });
  });
}

}  // namespace

Size convolution_memory(DType dtype, const Convolution& c, Convolved which) {
  const Lines l(c);
  const Planes p = which == Convolved::x ? planes_of_y(l) : planes_of_x(l);
  using Wide = __int128;
  constexpr Wide most = Wide{1} << 56;
  const Size channels = which == Convolved::x ? c.out : c.in, item = item_size(dtype);
  Wide numbers = static_cast<Wide>(channels) * p.count;
  for (const Size extent : p.extent)
    if ((numbers *= extent) > most) return -1;
  Wide bytes = 5 * 64;  // of what is rounded up
  const Wide taps = product(c.kernel);
  if (which == Convolved::w) {
    bytes += sums_memory(c, item, numbers);
  } else {
    const Jobs jobs = which == Convolved::y ? Jobs(c, c.out, c.in) : Jobs(c, c.in, c.out);
    bytes += ((numbers + slack + strip_numbers) * item + 1) * jobs.workers() + channels * taps * 8;
    if (which == Convolved::x) bytes += c.groups * c.in * c.out * taps * item;
  }
  return bytes > most ? -1 : static_cast<Size>(bytes);
}

void convolve(DType dtype, const Convolution& c, const void* x, const void* w, const void* bias, void* y,
              char* memory) {
  with_floats(dtype, [&](auto zero) {
    using T = decltype(zero);
    to_y(c, static_cast<const T*>(x), static_cast<const T*>(w), static_cast<const T*>(bias), static_cast<T*>(y),
         Memory(memory));
  });
}
void convolve_to_x(DType dtype, const Convolution& c, const void* y, const void* w, const void* bias, void* x,
                   char* memory) {
  with_floats(dtype, [&](auto zero) {
    using T = decltype(zero);
    to_x(c, static_cast<const T*>(y), static_cast<const T*>(w), static_cast<const T*>(bias), static_cast<T*>(x),
         Memory(memory));
  });
}
void convolve_to_w(DType dtype, const Convolution& c, const void* x, const void* y, void* w, char* memory) {
  with_floats(dtype, [&](auto zero) {
    using T = decltype(zero);
    to_w(c, static_cast<const T*>(x), static_cast<const T*>(y), static_cast<T*>(w), Memory(memory));
  });
}

}  // namespace xgrad::kernels
