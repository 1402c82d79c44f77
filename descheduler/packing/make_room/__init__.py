"""Making room: the fewest moves after which whole slots are free, or those who wait have a place.

| station  | files                   | what happens there                                                       |
|----------|-------------------------|--------------------------------------------------------------------------|
| the wish | requests                | demands, requests (gangs all or none, one domain), limits, the answers   |
| the door | slots, admission        | `open_slots` and `admit`                                                 |
| vacate   | vacate, cover           | per node the cheapest items that have to leave                           |
| choose   | choice, room, flows,    | one programme: which nodes, if what leaves has room elsewhere, and       |
|          | devices, rows, grants   | a bound                                                                  |
| place    | solve, place, draft,    | a device for every item that moves, corrections where there is none, and |
|          | greedy, order           | an order that can be done                                                |
| exact    | exact                   | small packings in one programme, item by item                            |
"""
