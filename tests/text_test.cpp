// Text as numbers: vocabularies of characters and words, and windows of text.
#include <boost/test/unit_test.hpp>

#include <xgrad/xgrad.hpp>
#include "helpers.hpp"
#include "references/references.hpp"

using namespace xgrad;
using Strings = std::vector<std::string>;

BOOST_AUTO_TEST_CASE(vocabularies) {
  const data::Vocabulary c = data::Vocabulary::characters("hello, wörld");
  BOOST_TEST((c.tokens() == Strings{" ", ",", "d", "e", "h", "l", "o", "r", "w", "ö"}));
  BOOST_TEST((c.encode("hö").to_vector<Size>() == std::vector<Size>{4, 9}));
  BOOST_TEST(c.decode(c.encode("wörld, hello")) == "wörld, hello");
  BOOST_TEST(c.counts()[5] == 3);
  CHECK_ERROR(c.encode("x"), "[Vocabulary] 'x' is not in the vocabulary");
  BOOST_TEST(data::Vocabulary::characters("\xff\xc3").size() == 2);  // bytes that are no code point

  const std::string text = "The cat saw the dog. The dog didn't see\nthe Cat!";
  const data::Vocabulary w = data::Vocabulary::words(text);
  BOOST_TEST((w.tokens() == Strings{"the", "cat", "dog", "!", ".", "didn't", "saw", "see"}));
  BOOST_TEST(w.decode(w.encode("the Cat saw.")) == "the cat saw .");
  BOOST_TEST((w.code("The") == w.code("the") && w.has("CAT")));
  CHECK_ERROR(w.encode("the cow"), "'cow' is not in the vocabulary");
  const data::Vocabulary few = data::Vocabulary::words(text, {.min_count = 2, .unknown = "<unk>"});
  BOOST_TEST((few.tokens() == Strings{"<unk>", "the", "cat", "dog"}));
  BOOST_TEST((few.encode("the cow saw the dog").to_vector<Size>() == std::vector<Size>{1, 0, 0, 1, 3}));
  BOOST_TEST((few.counts() == std::vector<Size>{5, 4, 2, 2}));
  BOOST_TEST((data::Vocabulary::words(text, {.most = 2}).tokens() == Strings{"the", "cat"}));
  BOOST_TEST(data::Vocabulary::words("A a", {.lower = false}).size() == 2);
  CHECK_ERROR(data::Vocabulary::words(text, {.min_count = 0}), "[Vocabulary] expected a min_count of 1 or more");
  CHECK_ERROR(few.decode(tensor({4})), "[Vocabulary] expected codes below 4, got 4");
  CHECK_ERROR(few.decode(ones({2})), "[Vocabulary] expected codes as i64");
}

// Its tokens, kept somewhere, make the same one again.
BOOST_AUTO_TEST_CASE(vocabularies_of_tokens) {
  const std::string text = "The cat saw the dog.\nThe dog didn't see the Cat, nor the Käse!",
                    other = "THE dog \xc3 <unk>";
  using data::Vocabulary;
  const std::pair<Vocabulary, data::TokenOptions> table[] = {
      {Vocabulary::characters(text), {.words = false}},
      {Vocabulary::characters(text), {.words = false, .lower = false}},
      {Vocabulary::characters(""), {.words = false}},
      {Vocabulary::words(text), {}},
      {Vocabulary::words(text, {.lower = false}), {.lower = false}},
      {Vocabulary::words(text, {.min_count = 2, .unknown = "<unk>"}), {.unknown = "<unk>"}},
      {Vocabulary::words(text, {.most = 3, .lower = false, .unknown = "The"}), {.lower = false, .unknown = "The"}},
  };
  for (const auto& [made, options] : table) {
    const Vocabulary again = Vocabulary::of_tokens(made.tokens(), options);
    BOOST_TEST((again.tokens() == made.tokens() && again.counts() == std::vector<Size>(made.tokens().size())));
    for (const std::string& t : {text, other}) {
      const auto codes = [&](const Vocabulary& v) {
        std::vector<Size> list;
        const std::string message = references::error_of([&] { list = v.encode(t).to_vector<Size>(); });
        return std::pair(list, message.substr(std::min(message.find(']'), message.size())));
      };
      BOOST_TEST((codes(again) == codes(made)), t);
    }
    const Tensor all = arange(made.size());
    BOOST_TEST(again.decode(all) == made.decode(all));
  }
  BOOST_TEST(Vocabulary::of_tokens({"a", "b", "?"}, {.words = false, .unknown = "?"}).code("z") == 2);
  BOOST_TEST(Vocabulary::of_tokens({"new", "york"}).decode(tensor({0, 1})) == "new york");
  CHECK_ERROR(Vocabulary::of_tokens({"b", "a", "c", "a"}),
              "[Vocabulary] expected tokens that differ, got 'a' twice, as 1 and 3; leave one out");
  CHECK_ERROR(Vocabulary::of_tokens({"b", ""}),
              "[Vocabulary] expected tokens of one byte or more, got an empty one as 1");
  CHECK_ERROR(Vocabulary::of_tokens({"b"}, {.unknown = "<unk>"}),
              "[Vocabulary] expected the unknown, '<unk>', among the tokens");
}

BOOST_AUTO_TEST_CASE(windows_of_text) {
  const Tensor codes = arange(11);
  const data::Dataset d = data::windows(codes, {.length = 3});
  BOOST_TEST((d.inputs.to_vector<Size>() == std::vector<Size>{0, 1, 2, 3, 4, 5, 6, 7, 8}));
  BOOST_TEST((d.labels.to_vector<Size>() == std::vector<Size>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
  const data::Dataset near = data::windows(codes, {.length = 8, .stride = 1});
  BOOST_TEST((near.inputs.shape() == Shape{3, 8}));
  BOOST_TEST(near.labels[2][7].item() == 10);
  BOOST_TEST((data::windows(codes, {.length = 10}).inputs.shape() == Shape{1, 10}));
  CHECK_ERROR(data::windows(codes, {.length = 11}), "[windows] 11 codes are too few for a window of 11");
  CHECK_ERROR(data::windows(codes, {.length = 0}), "[windows] expected a length and a stride of 1 or more");
  CHECK_ERROR(data::windows(ones({3})), "[windows] expected codes as i64 [n]");
}
