#include "autodiff/engine/program.hpp"

#include <cstdlib>
#include <cstring>
#include <new>

#include "autodiff/engine/chain_code.hpp"
#include "autodiff/engine/pages.hpp"
#include "autodiff/parallel.hpp"

namespace xgrad::engine {

bool Blocking::admit(const Reduced& sink) {
  const auto chunks_of = [](Size length) { return chunk % length == 0 || length % chunk == 0; };
  if (sink.whole()) {
    if (row && !chunks_of(row)) return false;
    whole_ = true;
  } else if (sink.rows()) {
    if ((row && row != sink.length) || (columns && columns != sink.length)) return false;
    if (whole_ && !chunks_of(sink.length)) return false;
    row = sink.length;
  } else {
    constexpr Size most_columns = 16384;  // more: units too long to share among threads
    if (!sink.columns() || sink.inner > most_columns || sink.kind != kernels::Reduction::sum) return false;
    if ((columns && columns != sink.inner) || (row && row != sink.inner)) return false;
    columns = sink.inner;
  }
  return true;
}

namespace {

// Scratch of all workers, the calling thread's; kept from run to run.
struct Memory {
  char* data = nullptr;
  std::size_t size = 0;
  ~Memory() { std::free(data); }
};
char* scratch_memory(Memory& memory, Size wanted) {
  if (const auto bytes = static_cast<std::size_t>(wanted); memory.size < bytes) {
    std::free(memory.data);
    memory.size = (bytes + 4095) / 4096 * 4096;
    memory.data = static_cast<char*>(std::aligned_alloc(64, memory.size));
    if (!memory.data) memory.size = 0, throw std::bad_alloc();
  }
  return memory.data;
}

// What the sinks of one run gather: partial results, folded at the end.
struct Gathered {
  char* data;
  std::uint8_t pool;
};

struct Pass {
  const kernels::Table& kernels;
  ThreadState* t;  // null: there are no sinks
  const Program& p;
  const Gathered* gathered;
  Units units;  // of columns; 0: none

  Size row() const { return p.blocking.row; }
  // The end of the block that begins at `start`.
  Size block_end(Size start, Size end) const {
    Size stop = start + chunk;
    if (row() > chunk) stop = std::min(stop, start - start % row() + row());
    else if (row() > 0) stop = start + chunk / row() * row();
    if (const Size job = units.job) stop = std::min(stop, start - start % job + job);
    return std::min(stop, end);
  }

  void operator()(Size begin, Size end, char* scratch) const {
    for (Size start = begin; start < end;) {
      const Size stop = block_end(start, end);
      block(scratch, start, stop - start);
      start = stop;
    }
  }

  void block(char* scratch, Size start, Size n) const {
    const auto at = [&](const Place& x) {
      return x.scratch >= 0 ? scratch + x.scratch * p.scratch_bytes : x.base + start * x.step;
    };
    std::size_t sinks = 0;
    for (const Instruction& op : p.code) {
      switch (op.what) {
        case Do::kernel:
          kernels_of(kernels, op.op, op.dtype)[op.mask](at(op.out), at(op.in[0]),
                                                        op.operands > 1 ? at(op.in[1]) : nullptr,
                                                        op.operands > 2 ? at(op.in[2]) : nullptr, n);
          break;
        case Do::cast:
          kernels.cast[static_cast<int>(op.dtype)][static_cast<int>(op.to)](at(op.out), at(op.in[0]), nullptr, nullptr,
                                                                            n);
          break;
        case Do::with_slope:
          kernels.with_slope[static_cast<int>(lanes_of(op.op))][static_cast<int>(op.dtype)](at(op.out), at(op.slope),
                                                                                            at(op.in[0]), n);
          break;
        case Do::load:
          gather_elements(at(op.out), op.in[0].base, p.layouts[static_cast<std::size_t>(op.layout)],
                          item_size(op.dtype), start, n);
          break;
        case Do::chain: chain(op, scratch, start, n); break;
        case Do::chain_sum: ++sinks; break;
        case Do::fold_whole:
          fold_of(op)(gathered[sinks++].data + start / chunk * item_size(op.dtype), at(op.in[0]), n);
          break;
        case Do::fold_rows: fold_rows(op, gathered[sinks++].data, at(op.in[0]), start, n); break;
        case Do::add_columns: add_columns(op, gathered[sinks++].data, at(op.in[0]), start, n); break;
      }
    }
  }

  Folding fold_of(const Instruction& op) const { return folding(kernels, reduction_of(op.op), op.dtype); }

  // Whole strips by machine code, where there is some; the rest by the interpreter.
  void chain(const Instruction& op, char* scratch, Size start, Size n) const {
    kernels::ChainStep const* const steps = &p.steps[static_cast<std::size_t>(op.step)];
    const kernels::Chain interpret = kernels.chain[op.dtype == DType::f64];
    const Size item = item_size(op.dtype), strip = strip_bytes / item, whole = op.code ? n / strip * strip : 0;
    if (whole == 0 || (op.sums && whole < n)) return interpret(steps, scratch, start, n);
    const auto each_sum = [&](const auto& f) {
      if (!op.sums) return;
      for (const kernels::ChainStep* s = steps; s->act() != kernels::Act::end; ++s)
        if (s->act() == kernels::Act::sum) f(*s);
    };
    each_sum([&](const kernels::ChainStep& s) { std::memset(scratch + s.y, 0, static_cast<std::size_t>(kept_sums)); });
    op.code(steps, scratch, start, whole);
    each_sum([&](const kernels::ChainStep& s) {
      const kernels::Fold fold = kernels.fold[static_cast<int>(kernels::Reduction::sum)][static_cast<int>(op.dtype)];
      fold(reinterpret_cast<char*>(s.x) + start / chunk * item, scratch + s.y, kept_sums / item);
    });
    if (whole < n) interpret(steps, scratch + whole * item, start + whole, n - whole);
  }

  void fold_rows(const Instruction& op, char* partials, const char* x, Size start, Size n) const {
    const Size item = item_size(op.dtype), length = op.length;
    const Folding fold = fold_of(op);
    if (length <= chunk) return fold.rows(op.out.base + start / length * item, x, n / length, length);
    const Size parts = partials_of(length), r = start / length, in_row = start % length;
    char* own = partials + r * parts * item;
    fold(own + in_row / chunk * item, x, n);
    if (in_row + n == length) fold_partials(fold, op.out.base + r * item, own, parts, item);
  }

  void add_columns(const Instruction& op, char* sums, const char* x, Size start, Size n) const {
    const Size item = item_size(op.dtype), j = start / units.job, first = j * units.job;
    char *total = sums + j * units.step * item, *running = total + units.jobs * units.step * item;
    add_to_job(*t, op.dtype, units, total, running, x, start - first, n, std::min(units.job, p.count - first));
  }

  // After the last block: what was gathered becomes the results.
  void finish(const Instruction& op, char* gathered) const {
    const Size item = item_size(op.dtype);
    if (op.what == Do::fold_whole || op.what == Do::chain_sum)
      fold_partials(fold_of(op), op.out.base, gathered, partials_of(p.count), item);
    if (op.what == Do::add_columns) add_totals(*t, op.dtype, op.out.base, gathered, units);
  }
};

Size gathered_bytes(const Instruction& op, Size count, const Units& units) {
  const Size item = item_size(op.dtype);
  if (op.what == Do::fold_whole || op.what == Do::chain_sum) return partials_of(count) * item;
  if (op.what == Do::add_columns) return units.gathered() * item;
  return op.length <= chunk ? 1 : count / op.length * partials_of(op.length) * item;
}

// Elements of a job: what one thread does at a time; a multiple of all that blocks align to.
Size job_size(const Program& p, const Units& units) {
  constexpr Size about = 16 * chunk;
  if (units.job) return units.job;
  if (const Size row = p.blocking.row) {
    const Size aligned = row <= chunk ? chunk / row * row : row;
    return (about + aligned - 1) / aligned * aligned;
  }
  return about;
}

}  // namespace

void run_blocks(const Program& p, Size begin, Size end, char* scratch) {
  Pass{kernels::table(), nullptr, p, nullptr, {}}(begin, end, scratch);
}

void find_code(Program& p, Size elements) {
  // Backwards, as what a chain need not store is what nobody reads after it.
  ReadLater later{0, std::max<Size>(p.scratch_bytes, 1)};
  const auto bit = [](std::intptr_t block) { return block >= 0 && block < 64 ? std::uint64_t(1) << block : 0; };
  for (std::size_t i = p.code.size(); i-- > 0;) {
    Instruction& op = p.code[i];
    if (op.what == Do::chain_sum) continue;
    if (op.what != Do::chain) {
      later.blocks &= ~(bit(op.out.scratch) | bit(op.slope.scratch));
      for (const Place& in : op.in) later.blocks |= bit(in.scratch);
      continue;
    }
    const kernels::ChainStep *const first = &p.steps[static_cast<std::size_t>(op.step)], *end = first;
    op.sums = false;
    for (; end->act() != kernels::Act::end; ++end) op.sums |= end->act() == kernels::Act::sum;
    op.code = chain_code(first, op.dtype, (end - first) * elements, later);
    for (const kernels::ChainStep* s = end; s-- != first;) {
      const auto block = [&](At place) {
        return from(*s, place) == kernels::From::scratch ? bit(address_of(*s, place) / p.scratch_bytes) : 0;
      };
      later.blocks &= ~block(At::out);
      later.blocks |= block(At::first) | block(At::x) | block(At::y);
    }
  }
}

void run(ThreadState& t, Program& p) {
  constexpr Size worth_code = 4096;  // elements
  if (p.count >= worth_code || code_when() == CodeWhen::always) find_code(p, p.count);
  const Size columns = p.blocking.columns;
  const Units units = columns ? units_of(p.count / columns, columns) : Units{};
  const Workspace<std::vector<Gathered>, Use::gathered> room(t);
  const Workspace<Memory, Use::blocks> memory(t);
  std::vector<Gathered>& gathered = *room;
  gathered.clear();
  gathered.reserve(p.code.size());
  const auto give_back = [&] {
    for (const Gathered& g : gathered) give_buffer(g.data, g.pool);
  };
  try {
    for (const Instruction& op : p.code)
      if (op.what >= Do::fold_whole) {
        Gathered g;
        g.data = take_buffer(static_cast<std::size_t>(gathered_bytes(op, p.count, units)), g.pool,
                             rule(op.sink->op).name, {op.sink->file, op.sink->line});
        gathered.push_back(g);
        if (op.what == Do::chain_sum)
          p.steps[static_cast<std::size_t>(op.step)].x = reinterpret_cast<std::intptr_t>(g.data);
      }
    const Pass pass{*t.kernels, &t, p, gathered.data(), units};
    const Size bytes = p.scratch * p.scratch_bytes;
    const Size size = job_size(p, units), jobs = (p.count + size - 1) / size;
    constexpr Size worth_sharing = 1 << 17;  // elements x instructions
    if (jobs == 1 || p.count * static_cast<Size>(p.code.size() + p.steps.size() / 2) < worth_sharing) {
      pass(0, p.count, scratch_memory(*memory, bytes));
    } else {
      char* scratch = scratch_memory(*memory, bytes * workers_for(jobs));
      parallel_for(jobs, [&](Size job, int worker) {
        pass(job * size, std::min(p.count, (job + 1) * size), scratch + worker * bytes);
      });
    }
    std::size_t sinks = 0;
    for (const Instruction& op : p.code)
      if (op.what >= Do::fold_whole) pass.finish(op, gathered[sinks++].data);
  } catch (...) {
    give_back();
    throw;
  }
  give_back();
}

}  // namespace xgrad::engine
