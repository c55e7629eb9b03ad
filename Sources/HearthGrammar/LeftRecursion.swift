/// Finds a rule that comes back to itself before any byte, with something left to do after: its stack would grow for ever. Where
/// nothing is left to do after (`x ::= x | "a"`), coming back changes nothing.
struct LeftRecursion {
    private let grammar: Grammar
    private var canBeEmpty: [Bool]
    let rule: Int?

    init(_ grammar: Grammar) {
        self.grammar = grammar
        canBeEmpty = Self.emptiable(grammar)
        // Edges to rules that may come first, and whether something follows them.
        let edges = grammar.alternatives.map { [canBeEmpty] starts in
            starts.flatMap { Self.firsts(grammar, Int($0), canBeEmpty) }
        }
        let components = Self.components(edges.map { $0.map(\.rule) })
        rule = edges.indices.first { from in
            edges[from].contains { components[$0.rule] == components[from] && $0.leavesMore }
        }
    }

    /// Rules that can be nothing: those with an alternative whose symbols all can.
    private static func emptiable(_ grammar: Grammar) -> [Bool] {
        var empty = Array(repeating: false, count: grammar.alternatives.count)
        // Alternatives of rules alone: whose they are, and how many of their rules are not known to be empty.
        var candidates: [(rule: Int, left: Int)] = []
        var uses: [[Int]] = Array(repeating: [], count: empty.count)
        var work: [Int] = []
        for (rule, starts) in grammar.alternatives.enumerated() {
            for start in starts {
                let symbols = grammar.symbols[Int(start)...].prefix { $0 != .end }
                let rules = symbols.compactMap { if case .rule(let rule) = $0 { Int(rule) } else { nil } }
                guard rules.count == symbols.count else { continue }
                if rules.isEmpty { work.append(rule) }
                for used in rules { uses[used].append(candidates.count) }
                candidates.append((rule, rules.count))
            }
        }
        while let rule = work.popLast() {
            if empty[rule] { continue }
            empty[rule] = true
            for use in uses[rule] {
                candidates[use].left -= 1
                if candidates[use].left == 0 { work.append(candidates[use].rule) }
            }
        }
        return empty
    }

    private static func firsts(
        _ grammar: Grammar, _ start: Int, _ canBeEmpty: [Bool]
    ) -> [(rule: Int, leavesMore: Bool)] {
        var found: [(rule: Int, leavesMore: Bool)] = []
        var at = start
        while case .rule(let rule) = grammar.symbols[at] {
            found.append((Int(rule), grammar.symbols[at + 1] != .end))
            if !canBeEmpty[Int(rule)] { break }
            at += 1
        }
        return found
    }

    /// Tarjan's strongly connected components, without recursion: a number for each rule.
    private static func components(_ edges: [[Int]]) -> [Int] {
        var (index, low) = (Array(repeating: -1, count: edges.count), Array(repeating: 0, count: edges.count))
        var component = Array(repeating: -1, count: edges.count)
        var (stack, next, made): ([Int], Int, Int) = ([], 0, 0)
        for start in edges.indices where index[start] < 0 {
            var work = [(rule: start, edge: 0)]
            while let (rule, edge) = work.last {
                if edge == 0 {
                    (index[rule], low[rule]) = (next, next)
                    next += 1
                    stack.append(rule)
                }
                if edge < edges[rule].count {
                    work[work.count - 1].edge += 1
                    let to = edges[rule][edge]
                    if index[to] < 0 {
                        work.append((to, 0))
                    } else if component[to] < 0 {
                        low[rule] = min(low[rule], index[to])
                    }
                    continue
                }
                work.removeLast()
                if let parent = work.last?.rule { low[parent] = min(low[parent], low[rule]) }
                if low[rule] == index[rule] {
                    while true {
                        let member = stack.removeLast()
                        component[member] = made
                        if member == rule { break }
                    }
                    made += 1
                }
            }
        }
        return component
    }
}
