// Sequential: a chain of layers.
#pragma once

#include <new>
#include <utility>
#include <vector>

#include <xgrad/autodiff/pointers.hpp>
#include <xgrad/nn/fields.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::nn {

// A layer of any type: a struct, a function, a lambda. A value: a copy is a copy of the layer.
class Layer {
 public:
  template <class L>
  requires(!std::is_same_v<std::decay_t<L>, Layer>) Layer(L&& layer) {
    if constexpr (fits<std::decay_t<L>>())
      held_ = engine::Own<Held>(made(new (std::nothrow) Of<std::decay_t<L>>(std::forward<L>(layer))));
  }
  Layer(const Layer& other) : held_(other.held().clone()) {}
  Layer(Layer&&) noexcept = default;
  Layer& operator=(const Layer& other);  // stores into this layer's variables; the types must agree
  Layer& operator=(Layer&&) noexcept = default;
  ~Layer() = default;

  Tensor operator()(In x) const { return held(line_of(x)).call(x); }
  const std::type_info& type() const { return held().type(); }
  template <class L>
  L* get() const {
    return type() == typeid(L) ? static_cast<L*>(held_->address()) : nullptr;
  }
  void walk(const Path& path, Walker& to) { held().walk(path, to); }

 private:
  // What a layer must be; where it is not that, the first line of the compiler's errors says so.
  template <class L>
  static constexpr bool fits() {
    constexpr bool constant = std::is_invocable_r_v<Tensor, const L&, const Tensor&>;
    constexpr bool changing = !constant && std::is_invocable_r_v<Tensor, L&, const Tensor&>;
    static_assert(!changing,
                  "operator() of a layer is const: write `Tensor operator()(const Tensor& x) const`, and "
                  "`mutable` before a buffer that it changes");
    static_assert(constant || changing,
                  "a layer is called with one tensor and gives one: "
                  "Tensor operator()(const Tensor& x) const");
    static_assert(std::is_copy_constructible_v<L>, "a layer can be copied: a copy of a model is a copy of its layers");
    return constant && std::is_copy_constructible_v<L> && fields::has_line<L>();
  }

  struct Held {
    virtual ~Held() = default;
    virtual engine::Own<Held> clone() const = 0;
    virtual void assign(const Held& same_type) = 0;
    virtual Tensor call(In x) const = 0;
    virtual void walk(const Path& path, Walker& to) = 0;
    virtual const std::type_info& type() const = 0;
    virtual void* address() = 0;
  };
  template <class H>
  static H* made(H* held) {
    if (!held) fail_no_memory({}, "Sequential");
    return held;
  }
  template <class L>
  struct Of final : Held {
    explicit Of(const L& l) : layer(l) {}
    explicit Of(L&& l) : layer(std::move(l)) {}
    engine::Own<Held> clone() const override { return engine::Own<Held>(made(new (std::nothrow) Of(layer))); }
    void assign(const Held& other) override {
      const L& from = static_cast<const Of&>(other).layer;
      if constexpr (std::is_copy_assignable_v<L>) {
        layer = from;
      } else {  // a lambda with captures
        static_assert(fields::holds_nothing<L>,
                      "a layer with parameters needs an assignment operator: drop const of its fields");
        layer.~L();
        new (&layer) L(from);
      }
    }
    Tensor call(In x) const override {  // Errors name the line of who called, or the one inside a user's layer
      if constexpr (fields::TakesIn<L>) return layer(x);
      else return layer(static_cast<Tensor>(x));
    }
    void walk(const Path& path, Walker& to) override { nn::walk(layer, path, to); }
    const std::type_info& type() const override { return typeid(L); }
    void* address() override { return &layer; }
    L layer;
  };
  Held& held(Source source = {}) const {
    if (!held_) fail(source.named("Sequential"), "this layer was moved from; make a new one");
    return *held_;
  }
  engine::Own<Held> held_;  // null: moved from
};

// The layers one after the other; their names are "0", "1", ... Copying copies the layers, and assigning a Sequential
// of the same layers stores values into this one's variables (an empty one takes a copy; other layers are an Error).
// Without layers it gives back what it is given, unless it was moved from: that is an Error.
// A layer is any struct, function or lambda that is called with one tensor and gives one. operator() is const: a layer that
// counts or keeps statistics changes fields that are `mutable Tensor`, named in XGRAD_FIELDS as buffers.
class Sequential {
 public:
  Sequential() = default;
  template <class... Layers>
  requires(sizeof...(Layers) > 0 &&
           !(sizeof...(Layers) == 1 &&
             ((std::is_same_v<std::decay_t<Layers>, Sequential> ||
               std::is_same_v<std::decay_t<Layers>, std::vector<Layer>>)&&...))) explicit(sizeof...(Layers) == 1)
      Sequential(Layers&&... layers) try {
    layers_.reserve(sizeof...(Layers));
    (layers_.push_back(Layer(std::forward<Layers>(layers))), ...);
  } catch (const std::bad_alloc&) {
    fail_no_memory({}, "Sequential");
  }
  explicit Sequential(std::vector<Layer> layers);
  Sequential(const Sequential&);
  Sequential(Sequential&& other) noexcept;
  Sequential& operator=(const Sequential& other);
  Sequential& operator=(Sequential&& other) noexcept;
  ~Sequential();

  Tensor operator()(In x) const;

  void push_back(Layer layer);
  std::size_t size() const { return layers_.size(); }
  // The i-th layer, to be called: net[0](x); net[-1] is the last.
  const Layer& operator[](At i) const { return const_cast<Sequential*>(this)->checked(i.index, i.source); }
  // The i-th layer, as the type that it was given as.
  template <class L>
  L& at(Size i, Source source = Source::here()) {
    L* layer = checked(i, source).get<L>();
    if (!layer) fail_type(i, typeid(L), source);
    return *layer;
  }
  template <class L>
  const L& at(Size i, Source source = Source::here()) const {
    return const_cast<Sequential*>(this)->at<L>(i, source);
  }

  void xgrad_walk(const Path& path, Walker& to);

 private:
  Layer& checked(Size i, Source source);
  [[noreturn]] void fail_type(Size i, const std::type_info& asked, Source source) const;
  std::vector<Layer> layers_;
  bool moved_from_ = false;
};

std::string type_name(const std::type_info& type);  // without namespaces; "function" for lambdas and pointers

}  // namespace xgrad::nn

#pragma GCC visibility pop
