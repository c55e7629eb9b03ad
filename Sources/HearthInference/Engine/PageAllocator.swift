import HearthModels

/// Hands out the pool's pages, and keeps those that hold the beginning of a prompt for the next one that begins alike.
///
/// A page is free, held by one or more sequences, or idle: nobody's, but found again by the tokens that led to it until its
/// room is needed, the longest unused first.
package struct PageAllocator {
    /// A full page by its content: the page before it, and its tokens.
    private struct Key: Hashable {
        let parent: Int
        let tokens: [Int32]
    }
    private struct Known {
        let page: Int32
        /// Names this page as a parent; never used again, so that what followed an evicted page is not found by mistake.
        let node: Int
    }

    package let pageCount: Int
    private var free: [Int32]
    private var holders: [Int]
    private var known: [Key: Known] = [:]
    private var keys: [Int32: Key] = [:]
    /// Longest unused first.
    private var idle: [Int32] = []
    private var nextNode = 1

    package init(pageCount: Int) {
        self.pageCount = pageCount
        free = (0..<Int32(pageCount)).reversed()
        holders = [Int](repeating: 0, count: pageCount)
    }

    /// Pages that can be had now.
    package var available: Int { free.count + idle.count }
    /// Pages that sequences hold.
    package var held: Int { pageCount - available }

    /// `count` pages for a new owner; nil, and nothing taken, when there are not as many.
    package mutating func take(_ count: Int) -> [Int32]? {
        guard count <= available else { return nil }
        return (0..<count).map { _ in
            let page = free.popLast() ?? evict()
            holders[Int(page)] = 1
            return page
        }
    }

    private mutating func evict() -> Int32 {
        let page = idle.removeFirst()
        if let key = keys.removeValue(forKey: page) { known[key] = nil }
        return page
    }

    /// The pages that already hold a beginning of `prompt`, now held once more. The last token is never among them: what
    /// follows it has to be computed.
    package mutating func takePrefix(of prompt: ArraySlice<Int32>) -> [Int32] {
        var pages: [Int32] = []
        var parent = 0
        for key in Self.pieces(of: prompt.dropLast()) {
            guard let found = known[Key(parent: parent, tokens: key)] else { break }
            if holders[Int(found.page)] == 0 { idle.removeAll { $0 == found.page } }
            holders[Int(found.page)] += 1
            pages.append(found.page)
            parent = found.node
        }
        return pages
    }

    /// From now on `pages`, which hold `tokens` from the first on, are found by them; the last page only if it is full.
    package mutating func publish(_ pages: [Int32], holding tokens: ArraySlice<Int32>) {
        var parent = 0
        for (page, piece) in zip(pages, Self.pieces(of: tokens)) {
            let key = Key(parent: parent, tokens: piece)
            if let found = known[key] {
                parent = found.node
            } else if keys[page] == nil {
                known[key] = Known(page: page, node: nextNode)
                keys[page] = key
                parent = nextNode
                nextNode += 1
            } else {
                break
            }
        }
    }

    /// Gives pages back, in the order of the sequence: what comes last is used again first.
    package mutating func release(_ pages: [Int32]) {
        for page in pages.reversed() {
            holders[Int(page)] -= 1
            guard holders[Int(page)] == 0 else { continue }
            if keys[page] == nil { free.append(page) } else { idle.append(page) }
        }
    }

    private static func pieces(of tokens: ArraySlice<Int32>) -> [[Int32]] {
        stride(from: tokens.startIndex, to: tokens.endIndex - KVPool.pageKeys + 1, by: KVPool.pageKeys).map {
            Array(tokens[$0..<$0 + KVPool.pageKeys])
        }
    }
}
