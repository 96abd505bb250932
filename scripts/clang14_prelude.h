// Included before everything else when clang-tidy reads a source that uses LibTorch; never by a build.
//
// LibTorch 1.13 holds std::vectors of types that are not yet complete. libstdc++ 12 makes vector's
// members constexpr in C++20, and Clang 14 then evaluates them too early and gives up. Here vector is
// read once without constexpr; every later include finds it already there.
#pragma once

// What vector includes keeps its constexpr: it is read first.
#include <algorithm>
#include <memory>
#include <string>

#pragma push_macro("_GLIBCXX20_CONSTEXPR")
#undef _GLIBCXX20_CONSTEXPR
#define _GLIBCXX20_CONSTEXPR
// vector.tcc declares this helper anew; another name keeps it apart from the constexpr one.
#define __fill_a1 __fill_a1_in_vector
#include <vector>
#undef __fill_a1
#pragma pop_macro("_GLIBCXX20_CONSTEXPR")
