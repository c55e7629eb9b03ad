import Foundation
import GRDB
import Testing

extension Fleet {
    /// The coordinator's own record: one unbroken sequence, one start and one end a job; and an agent with nothing unsaid.
    ///
    /// - Parameters:
    ///   - jobs: that began and ended; nil: not looked at.
    ///   - name: whose record.
    func checkReports(jobs: Int?, of name: String = "coordinator") throws {
        let coordinator = try DatabaseQueue(path: "\(folder)/\(name)/coordinator.sqlite")
        try coordinator.read { db in
            let row = try #require(
                try Row.fetchOne(
                    db, sql: "SELECT COUNT(*) AS n, MAX(seq) AS last, COUNT(DISTINCT boot_id) AS boots FROM reports"))
            let (count, last, boots): (Int, Int, Int) = (row["n"], row["last"], row["boots"])
            #expect(count == last && boots == 1)
            #expect(try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM gaps") == 0)
            for kind in jobs == nil ? [] : ["jobStarted", "jobFinished"] {
                let said = try Int.fetchOne(db, sql: "SELECT COUNT(*) FROM reports WHERE body LIKE '{\"\(kind)\"%'")
                #expect(said == jobs, "\(kind) \(said ?? -1) times")
            }
        }
        let agent = try DatabaseQueue(path: folder + "/agent/agent.sqlite")
        #expect(try agent.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM spool") } == 0)
        #expect(try agent.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM jobs WHERE state <> 'done'") } == 0)
    }

    /// Jobs that agent `number` has and has not ended.
    func activeJobs(of number: Int = 1) throws -> Int {
        let agent = try DatabaseQueue(path: "\(folder)/agent\(number == 1 ? "" : "\(number)")/agent.sqlite")
        return try agent.read { try Int.fetchOne($0, sql: "SELECT COUNT(*) FROM jobs WHERE state <> 'done'")! }
    }
}
