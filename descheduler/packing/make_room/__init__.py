"""Making room: the fewest moves after which whole slots are free, or those who wait have a place.

| station | files                       | what happens there                                                     |
|---------|-----------------------------|------------------------------------------------------------------------|
| demand  | demands                     | demands, requests (gangs all or none, one domain), limits, the answers |
| entry   | slots, admission            | `open_slots` and `admit`                                               |
| vacate  | vacate, cover               | per node the cheapest items that have to leave                         |
| choose  | node_choice, host_room,     | one programme: which nodes, if what leaves has room elsewhere, and a   |
|         | pod_flows, device_room,     | bound                                                                  |
|         | rows, assignments           |                                                                        |
| place   | solve, place, draft, greedy,| a device for every item that moves, corrections where there is none,   |
|         | step_order                  | and an order that can be done                                          |
| exact   | pod_programme               | small packings in one programme, item by item                          |
"""
