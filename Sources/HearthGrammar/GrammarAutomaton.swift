/// A grammar as a machine that reads bytes: its states are made when they are reached and kept, so that reading what was read
/// before is a look into a table.
///
/// A state is the set of places where the grammar may be, each with the stack of places to return to; stacks share their lower
/// parts. A class, not thread-safe: it belongs to one answer.
///
/// - Source: the idea of caching sets of pushdown stacks is xgrammar's (Dong et al., arXiv 2411.15100).
final class GrammarAutomaton {
    /// Number of a state; `dead` is the one from which no text leads on.
    typealias State = Int32
    static let dead: State = -1
    private static let unknown: State = -2

    /// A place and where to return to from its rule's end: an index of a place, or `bottom`.
    private struct Place: Hashable {
        let symbol: Int32
        let parent: Int32
    }
    private static let bottom: Int32 = -1

    private struct Configuration: Hashable {
        /// Indices of places whose symbol is a byte or a token, ascending.
        let places: [Int32]
        let isComplete: Bool
    }

    /// More places in one state, or more work for one token, than an answer may cost the others.
    private static let maximumPlaces = 4096
    /// States, and places, beyond which all but the one in use are forgotten; and that one token may come to.
    private static let keptStates = 4096
    private static let keptPlaces = 1 << 18
    private static let maximumStates = 16_384
    /// Steps that an answer may take at once, and that every token adds: about 100 ns each.
    static let mostWork = 1_000_000
    static let workPerToken = 20_000

    let grammar: Grammar
    private var places: [Place] = []
    private var placeIndices: [Place: Int32] = [:]
    private var states: [Configuration] = []
    private var stateIndices: [Configuration: State] = [:]
    /// 256 next states for each.
    private var next: [State] = []
    /// Steps left; below 0 every further state is dead and `isExhausted`, for ever.
    private var workLeft = mostWork
    private(set) var isExhausted = false

    init(_ grammar: Grammar) { self.grammar = grammar }

    /// Gives what another token may cost.
    func earn() { workLeft = min(workLeft + Self.workPerToken, Self.mostWork) }

    /// Where every text starts.
    func start() -> State {
        var closure = Closure()
        for symbol in grammar.alternatives[Int(grammar.root)] {
            closure.add(Place(symbol: symbol, parent: Self.bottom))
        }
        return settle(&closure)
    }

    func isComplete(_ state: State) -> Bool { state >= 0 && states[Int(state)].isComplete }

    /// Whether anything may follow.
    func goesOn(_ state: State) -> Bool { state >= 0 && !states[Int(state)].places.isEmpty }

    func step(_ state: State, _ byte: UInt8) -> State {
        guard state >= 0 else { return Self.dead }
        let slot = Int(state) << 8 | Int(byte)
        if next[slot] != Self.unknown { return next[slot] }
        var closure = Closure()
        for index in states[Int(state)].places {
            let place = places[Int(index)]
            if case .bytes(let set) = grammar.symbols[Int(place.symbol)], grammar.sets[Int(set)].contains(byte) {
                closure.add(Place(symbol: place.symbol + 1, parent: place.parent))
            }
        }
        workLeft -= states[Int(state)].places.count
        let reached = settle(&closure)
        if !isExhausted { next[slot] = reached }
        return reached
    }

    /// After a whole token: by its name, and by its bytes where it is text.
    func step(_ state: State, token: Int32, bytes: [UInt8]?) -> State {
        var byText = bytes == nil ? Self.dead : state
        for byte in bytes ?? [] {
            byText = step(byText, byte)
            if byText < 0 { break }
        }
        guard grammar.hasTokens, state >= 0 else { return byText }
        var closure = Closure()
        for index in states[Int(state)].places {
            let place = places[Int(index)]
            switch grammar.symbols[Int(place.symbol)] {
            case .token(let id) where id == token, .otherToken(let id) where id != token:
                closure.add(Place(symbol: place.symbol + 1, parent: place.parent))
            default: break
            }
        }
        if closure.work.isEmpty { return byText }
        if byText >= 0 {
            closure.found = Set(states[Int(byText)].places)
            closure.isComplete = states[Int(byText)].isComplete
        }
        return settle(&closure)
    }

    /// What tokens a state names: one by one, and whether all but one are let in.
    func tokens(_ state: State) -> (named: [Int32], othersThan: [Int32]) {
        guard grammar.hasTokens, state >= 0 else { return ([], []) }
        var (named, others): ([Int32], [Int32]) = ([], [])
        for index in states[Int(state)].places {
            switch grammar.symbols[Int(places[Int(index)].symbol)] {
            case .token(let id): named.append(id)
            case .otherToken(let id): others.append(id)
            default: break
            }
        }
        return (named, others)
    }

    // MARK: Making states

    /// Places to follow until a byte or a token is due.
    private struct Closure {
        var work: [Place] = []
        var seen: Set<Place> = []
        var found: Set<Int32> = []
        var isComplete = false

        mutating func add(_ place: Place) { if seen.insert(place).inserted { work.append(place) } }
    }

    private func settle(_ closure: inout Closure) -> State {
        while let place = closure.work.popLast() {
            workLeft -= 1
            if workLeft < 0 || closure.found.count > Self.maximumPlaces || states.count > Self.maximumStates {
                isExhausted = true
            }
            if isExhausted { return Self.dead }
            switch grammar.symbols[Int(place.symbol)] {
            case .end:
                if place.parent == Self.bottom {
                    closure.isComplete = true
                } else {
                    closure.add(places[Int(place.parent)])
                }
            case .rule(let rule):
                // The last of its rule needs no way back to it.
                let isLast = grammar.symbols[Int(place.symbol) + 1] == .end
                let parent =
                    isLast ? place.parent : index(of: Place(symbol: place.symbol + 1, parent: place.parent))
                for symbol in grammar.alternatives[Int(rule)] { closure.add(Place(symbol: symbol, parent: parent)) }
            case .bytes, .token, .otherToken: closure.found.insert(index(of: place))
            }
        }
        if closure.found.isEmpty, !closure.isComplete { return Self.dead }
        let configuration = Configuration(places: closure.found.sorted(), isComplete: closure.isComplete)
        if let known = stateIndices[configuration] { return known }
        states.append(configuration)
        let state = State(states.count - 1)
        stateIndices[configuration] = state
        next.append(contentsOf: repeatElement(Self.unknown, count: 256))
        return state
    }

    private func index(of place: Place) -> Int32 {
        if let known = placeIndices[place] { return known }
        places.append(place)
        placeIndices[place] = Int32(places.count - 1)
        return Int32(places.count - 1)
    }

    /// Forgets all states but one where there are too many; gives its new number, and whether the others are gone.
    func tidied(_ state: State) -> (state: State, wasCleared: Bool) {
        guard state >= 0, states.count > Self.keptStates || places.count > Self.keptPlaces else {
            return (state, false)
        }
        let (old, configuration) = (places, states[Int(state)])
        (places, placeIndices, states, stateIndices, next) = ([], [:], [], [:], [])
        var moved: [Int32: Int32] = [Self.bottom: Self.bottom]
        // Parents first: a stack may be as deep as the answer is long.
        func move(_ index: Int32) -> Int32 {
            var path = [index]
            while let last = path.last, moved[last] == nil {
                let place = old[Int(last)]
                if let parent = moved[place.parent] {
                    moved[last] = self.index(of: Place(symbol: place.symbol, parent: parent))
                    if path.count > 1 { path.removeLast() }
                } else {
                    path.append(place.parent)
                }
            }
            return moved[index]!
        }
        var closure = Closure()
        closure.found = Set(configuration.places.map(move))
        closure.isComplete = configuration.isComplete
        return (settle(&closure), true)
    }
}
