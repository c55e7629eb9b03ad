import DequeModule

/// Requests that wait: clients take turns, each in the order of its own requests.
struct FairQueue {
    private var lines: [String: Deque<EngineSequence>] = [:]
    /// Whose turn is next, first.
    private var turns: Deque<String> = []
    private(set) var count = 0

    mutating func append(_ sequence: EngineSequence) {
        let client = sequence.request.client
        if lines[client, default: []].isEmpty { turns.append(client) }
        lines[client, default: []].append(sequence)
        count += 1
    }

    /// Back at the head: it was served already and had to give up its place.
    mutating func putBack(_ sequence: EngineSequence) {
        let client = sequence.request.client
        turns.removeAll { $0 == client }
        turns.prepend(client)
        lines[client, default: []].prepend(sequence)
        count += 1
    }

    /// Whose turn it is.
    var first: EngineSequence? { turns.first.flatMap { lines[$0]?.first } }

    mutating func removeFirst() {
        let client = turns.removeFirst()
        lines[client]!.removeFirst()
        count -= 1
        if lines[client]!.isEmpty { lines[client] = nil } else { turns.append(client) }
    }

    func count(of client: String) -> Int { lines[client]?.count ?? 0 }

    /// Takes out those that `shouldRemove` names.
    mutating func remove(where shouldRemove: (EngineSequence) -> Bool) -> [EngineSequence] {
        var removed: [EngineSequence] = []
        for (client, line) in lines {
            let kept = Deque(line.filter { !shouldRemove($0) })
            if kept.count == line.count { continue }
            removed += line.filter(shouldRemove)
            lines[client] = kept.isEmpty ? nil : kept
            if kept.isEmpty { turns.removeAll { $0 == client } }
        }
        count -= removed.count
        return removed
    }
}
